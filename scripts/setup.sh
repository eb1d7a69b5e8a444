#!/usr/bin/env bash
# Installs what the named purposes need and is missing: build, interop, bench, assess, lint, fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."

need_debian() { # COMMAND PACKAGE pairs
  local missing=()
  while [ $# -gt 0 ]; do command -v "$1" >/dev/null || missing+=("$2"); shift 2; done
  [ ${#missing[@]} -eq 0 ] && return
  local sudo=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: install these packages first: ${missing[*]}" >&2; exit 1; }
    sudo=sudo
  fi
  echo "setup: installing ${missing[*]}"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Servers that the tests run themselves, on loopback and for their time only: Debian must not start them.
need_servers() { # COMMAND PACKAGE pairs
  local policy=/usr/sbin/policy-rc.d mine=""
  if [ "$(id -u)" -eq 0 ] && ! [ -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && mine=yes
  fi
  PATH="$PATH:/usr/sbin:$(echo /usr/lib/postgresql/*/bin)" need_debian "$@"
  [ -z "$mine" ] || rm -f "$policy"
}

need_cargo_tool() { # COMMAND CRATE
  command -v "$1" >/dev/null || cargo install --quiet --locked --debug "$2"
}

if ! command -v cargo >/dev/null; then
  echo "setup: Rust is missing; install it from https://rustup.rs (1.95 or newer) and run this again" >&2
  exit 1
fi

for purpose in "$@"; do
  case "$purpose" in
    build) need_debian cc gcc g++ g++ make make perl perl ;;
    interop)
      need_debian echoscu dcmtk openssl openssl sslscan sslscan python3 python3 mkfs.ext4 e2fsprogs ip iproute2 tcpdump tcpdump strace strace
      need_debian xmlsec1 xmlsec1
      need_debian chromium chromium certutil libnss3-tools node nodejs npm npm
      [ -d .node/node_modules/oidc-provider ] || npm install --prefix .node --ignore-scripts --no-fund --no-audit --silent \
        oidc-provider@9.13.3
      need_servers Orthanc orthanc nginx nginx-light lighttpd lighttpd initdb postgresql redis-server redis-server \
        vsftpd vsftpd rsync rsync slapd slapd smbd samba Xtigervnc tigervnc-standalone-server \
        tigervncpasswd tigervnc-tools xrdp xrdp mariadbd mariadb-server-core telnetd inetutils-telnetd \
        rsyslogd rsyslog
      [ -f /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || need_servers no-such-command orthanc-dicomweb
      ls /usr/lib/*/rsyslog/lmnsd_gtls.so >/dev/null 2>&1 || need_servers no-such-command rsyslog-gnutls
      [ -f /usr/lib/lighttpd/mod_webdav.so ] || need_servers no-such-command lighttpd-mod-webdav
      if ! [ -x .venv/bin/python ] || ! cmp -s interop/requirements.txt .venv/installed.txt; then
        python3 -m venv .venv 2>/dev/null || { need_debian no-such-command python3-venv; python3 -m venv .venv; }
        .venv/bin/pip install --quiet --disable-pip-version-check -r interop/requirements.txt
        cp interop/requirements.txt .venv/installed.txt
      fi ;;
    bench)
      need_debian nmap nmap
      need_servers Orthanc orthanc storescu dcmtk
      [ -f /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || need_servers no-such-command orthanc-dicomweb ;;
    assess) need_debian nmap nmap testssl testssl.sh sqlmap sqlmap openssl openssl ;;
    lint) need_cargo_tool cargo-deny cargo-deny ;;
    fuzz) need_cargo_tool cargo-fuzz cargo-fuzz ;;
    *) echo "setup: unknown purpose $purpose" >&2; exit 2 ;;
  esac
done
