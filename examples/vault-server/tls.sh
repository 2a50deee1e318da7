#!/bin/sh
# A certificate authority of your own, and a certificate for each server: sh tls.sh FOLDER HOST…
# Each HOST gets FOLDER/HOST/ca.crt, vault.crt and vault.key. The key of the authority, FOLDER/ca.key, belongs on none of them.
set -eu
umask 077
folder=$1
shift
mkdir -p "$folder"
new_key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

if [ ! -f "$folder/ca.crt" ]; then
  openssl req -x509 $new_key -days 3650 -subj "/CN=Vault CA" -keyout "$folder/ca.key" -out "$folder/ca.crt"
fi
for host in "$@"; do
  mkdir -p "$folder/$host"
  cp "$folder/ca.crt" "$folder/$host/ca.crt"
  openssl req $new_key -subj "/CN=$host" -keyout "$folder/$host/vault.key" -out "$folder/$host/vault.csr"
  printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' "$host" >"$folder/names"
  openssl x509 -req -days 365 -in "$folder/$host/vault.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -CAcreateserial \
    -extfile "$folder/names" -out "$folder/$host/vault.crt"
  rm "$folder/$host/vault.csr" "$folder/names"
done
