#!/usr/bin/env bash
# Install valgrind, whose callgrind counts instructions; without it the benchmarks show times alone, and say so.
set -euo pipefail
if command -v valgrind >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Debian's valgrind for the instruction counts …"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install --yes --no-install-recommends valgrind; } >/dev/null 2>&1 ||
    echo "valgrind could not be installed: instructions will not be counted."
else
  echo "Install valgrind (Debian: apt install valgrind) to have instructions counted too."
fi
