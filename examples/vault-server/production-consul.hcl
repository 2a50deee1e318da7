# The same with Consul as storage, for HashiCorp Vault alone: OpenBao does not have it. Each node talks to the Consul agent of its own
# machine, and Consul keeps the data and elects the leader. New clusters do without: integrated storage is one system less.

storage "consul" {
  address = "127.0.0.1:8500"
  path    = "vault/"
  # A token of Consul that may write below vault/, from CONSUL_HTTP_TOKEN in the environment of the server.
}

listener "tcp" {
  address         = "${LISTEN}"
  cluster_address = "${CLUSTER_LISTEN}"
  tls_cert_file   = "${TLS_DIR}/vault.crt"
  tls_key_file    = "${TLS_DIR}/vault.key"
  tls_min_version = "tls12"
}

api_addr     = "${API_ADDR}"
cluster_addr = "${CLUSTER_ADDR}"

ui = true

telemetry {
  prometheus_retention_time = "24h"
  disable_hostname          = true
}
