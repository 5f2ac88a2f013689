#!/bin/sh
# Install the cache servers that some tests speak to, where that is possible; without them those tests are skipped.
set -eu

if command -v redis-server >/dev/null 2>&1 && command -v memcached >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Debian's redis-server and memcached for the tests …"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update && apt-get install --yes --no-install-recommends redis-server memcached; } >/dev/null 2>&1 ||
        echo "They could not be installed: the tests that speak to them are skipped." >&2
fi
