#!/bin/sh
# Make sure that a MariaDB server can be started for the tests, or say what to do.
set -eu

if [ -n "${E2EDEBUG_TEST_DATABASE_URL:-}" ] || { command -v mariadbd && command -v mariadb-install-db; } >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Debian's mariadb-server for the tests …"
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update >"$log" 2>&1 && apt-get install --yes --no-install-recommends mariadb-server >>"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 20 "$log" >&2
fi
cat >&2 <<'TEXT'
The tests run on a real MariaDB or MySQL, and none was found. Either
  - install the package mariadb-server (Debian, Ubuntu: sudo apt install mariadb-server), or
  - set E2EDEBUG_TEST_DATABASE_URL=mysql+pymysql://user:password@host:3306/ to a server on which that user
    may create and drop databases.
TEXT
exit 1
