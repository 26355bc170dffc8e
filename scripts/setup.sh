#!/bin/sh
# Makes .venv with exactly the versions of requirements/cpu.txt, and worldreel itself, editable.
# torch comes first, and a machine without a GPU never gets the gigabytes of CUDA that come with
# it by default; WORLDREEL_TORCH=any lifts that. Run again, it does nothing until a pin changes.
# PYTHON and VENV name another interpreter to try first and another folder.
set -eu
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
lock=requirements/cpu.txt
torch=$(grep '^torch==' "$lock")
cpu_index=https://download.pytorch.org/whl/cpu
stamp=$venv/.worldreel-setup
want=$(pwd | cat - "$lock" pyproject.toml scripts/setup.sh | cksum)
[ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && exit 0

say() { echo "setup: $*" >&2; }
pip() { "$venv/bin/python" -m pip --disable-pip-version-check -qq "$@"; }
works() { "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# Prints how many packages with CUDA pip would bring along, or fails where it finds no torch at all.
cuda_packages() {
    pip install --dry-run --ignore-installed --report - "$torch" |
        "$venv/bin/python" -c 'import json, sys
names = [item["metadata"]["name"] for item in json.load(sys.stdin)["install"]]
print(sum(name.startswith(("nvidia", "cuda")) for name in names))' 2>/dev/null
}

install_torch() {
    version=${torch#torch==}
    "$venv/bin/python" -c "from importlib.metadata import version
assert version('torch').split('+')[0] == '$version'" 2>/dev/null && return 0
    if [ "${WORLDREEL_TORCH:-}" = any ] || nvidia-smi >/dev/null 2>&1; then
        say "installing torch $version, with CUDA where it comes with it"
        why="torch $version could not be installed"
        pip install -c "$lock" "$torch"
        return
    fi
    say "installing torch $version for the CPU"
    if [ "$(uname -s)" = Linux ] && pip install --no-deps --timeout 10 --retries 1 \
        --index-url "$cpu_index" "$torch+cpu" 2>/dev/null; then
        return 0
    fi
    cuda=$(cuda_packages) || cuda=none
    case $cuda in
    0) why="torch $version could not be installed" && pip install --no-deps "$torch" ;;
    none) why="pip finds no torch $version for this Python" && return 1 ;;
    *)
        why="$cpu_index cannot be reached, and the torch that pip finds elsewhere brings $cuda packages
setup: of CUDA, several gigabytes; nothing was downloaded. Make that index reachable, or accept
setup: them with WORLDREEL_TORCH=any"
        return 1
        ;;
    esac
}

if works "$venv/bin/python"; then
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
    install_torch || { say "$why" && exit 1; }
else
    tried=
    why="there is no Python 3.11 to 3.13 with the venv module (Debian: apt install python3-venv)"
    for python in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
        works "$python" || continue
        version=$("$python" -V)
        case $tried in *"$version,"*) continue ;; esac
        tried="$tried$version,"
        say "making $venv with $version"
        "$python" -m venv --clear "$venv"
        install_torch && why= && break
        rm -rf "$venv"
    done
    [ -z "$why" ] || { say "$why" && exit 1; }
fi

say "installing the pinned packages"
pip install --no-deps -r "$lock"
pip install --no-deps --no-build-isolation -e .
echo "$want" >"$stamp"
