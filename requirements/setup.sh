#!/usr/bin/env bash
# Sets up .venv from the lock of a flavour and installs the package in place.
#   requirements/setup.sh            FLAVOUR=cpu|gpu (the last one, else cpu)   PYTHON=path (3.11 or 3.12)
# A second run with the same requirements does nothing; a changed requirement syncs again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "setup: $*" >&2
    exit 2
}

stamp=.venv/chexone-setup
read_stamp() { read -r old_digest old_flavour 2>/dev/null <"$stamp" || old_digest='' old_flavour=''; }
read_stamp
flavour=${FLAVOUR:-${old_flavour:-cpu}}
lock=requirements/$flavour.txt
[[ $flavour == cpu || $flavour == gpu ]] || fail "FLAVOUR=$flavour is not known: use cpu or gpu"

# What .venv depends on: the requirements, the interpreter it was made with, and where it lies
# (scripts and the in-place install hold absolute paths).
digest() {
    { cat requirements/*.in "$lock" requirements/setup.sh pyproject.toml
      cat .venv/pyvenv.cfg 2>/dev/null
      echo "$flavour $PWD"; } | sha256sum | cut -d' ' -f1
}

usable() { # interpreter of a supported version that can make environments; shims of absent ones fail
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
        >/dev/null 2>&1
}

has_headers() { # DeepSpeed compiles a small extension at its first start
    "$1" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' >/dev/null 2>&1
}

find_python() {
    local candidate fallback=''
    if [[ -n ${PYTHON:-} ]]; then
        usable "$PYTHON" || fail "PYTHON=$PYTHON is not a working Python 3.11 or 3.12 with venv"
        has_headers "$PYTHON" || fail "PYTHON=$PYTHON has no Python.h: install its -dev package"
        echo "$PYTHON"
        return
    fi
    for candidate in python3.11 python3.12 python3 python /usr/bin/python3.11 /usr/bin/python3.12 \
        /usr/local/bin/python3.11 /usr/local/bin/python3.12 \
        "$HOME"/.pyenv/versions/3.11*/bin/python "$HOME"/.pyenv/versions/3.12*/bin/python; do
        usable "$candidate" || continue
        if has_headers "$candidate"; then
            echo "$candidate"
            return
        fi
        fallback=$candidate
    done
    [[ -z $fallback ]] || fail "$fallback has no Python.h: install its -dev package (apt: python3-dev)"
    fail "no Python 3.11 or 3.12 with venv found: install one (apt: python3.11 python3.11-venv" \
        "python3.11-dev) or give PYTHON=/path/to/python"
}

check_machine() {
    command -v "${CXX:-g++}" >/dev/null || fail "no C++ compiler (${CXX:-g++}): install it (apt: g++)"
    local wanted=12 there=0 free
    [[ $flavour == gpu ]] && wanted=20
    [[ -d .venv ]] && there=$(($(du -sk .venv | cut -f1) / 1048576)) # goes on, or is replaced
    wanted=$((wanted - there > 2 ? wanted - there : 2))
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
    ((free >= wanted)) || fail "$free GB of free disk in $PWD, wanted $wanted GB: make room"
}

[[ -n $old_digest && -x .venv/bin/python && -z ${PYTHON:-} && $old_digest == "$(digest)" ]] && exit 0

mkdir -p .setup
exec 9>.setup/lock
if command -v flock >/dev/null; then
    flock -n 9 || {
        echo "setup: waiting for another set-up of this folder" >&2
        flock -w 1800 9 || fail "another set-up of this folder did not end in 30 minutes: stop it"
    }
fi

read_stamp # another process may have finished while this one waited
version_of() { "$1" -c 'import sys; print(*sys.version_info[:3], sep=".")' 2>/dev/null; }

if ! usable .venv/bin/python || { [[ -n ${PYTHON:-} ]] &&
    [[ $(version_of "$PYTHON") != $(version_of .venv/bin/python) ]]; }; then
    old_digest=''
    check_machine
    python=$(find_python)
    echo "setup: making .venv with $python ($(version_of "$python"))" >&2
    rm -rf .venv
    "$python" -m venv .venv || fail "$python -m venv failed: see the lines above"
elif [[ -x .venv/bin/python && $old_digest == "$(digest)" ]]; then
    exit 0 # another process was faster, or PYTHON names the interpreter that .venv has
else
    check_machine
fi

rm -f "$stamp"
uv_pin=$(grep -m1 '^uv==' "$lock" | cut -d' ' -f1)
if [[ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "${uv_pin#uv==}" ]]; then
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$uv_pin" ||
        fail "could not install uv: check the network and pip's settings"
fi
echo "setup: installing requirements/$flavour.txt" >&2
.venv/bin/uv pip sync --quiet --python .venv/bin/python --compile-bytecode "$lock" ||
    fail "could not install $lock: check the network; run the same command again to go on"
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e . ||
    fail "could not install the package in place: see the lines above"
echo "$(digest) $flavour" >"$stamp"
echo "setup: done in $SECONDS s" >&2
