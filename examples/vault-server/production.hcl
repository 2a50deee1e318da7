# One of three nodes with integrated storage, for OpenBao and for HashiCorp Vault. node.env has a value for each name in
# braces, and envsubst puts them in.

storage "raft" {
  path    = "${DATA_DIR}"
  node_id = "${NODE_ID}"

  # A leader that is lost is replaced within 3 s. The default, 5, takes up to 15 s and is for slow machines.
  performance_multiplier = 1

  # Whichever node is there takes the others in. The own address among them does no harm.
  retry_join {
    leader_api_addr     = "${NODE_1_ADDR}"
    leader_ca_cert_file = "${TLS_DIR}/ca.crt"
  }
  retry_join {
    leader_api_addr     = "${NODE_2_ADDR}"
    leader_ca_cert_file = "${TLS_DIR}/ca.crt"
  }
  retry_join {
    leader_api_addr     = "${NODE_3_ADDR}"
    leader_ca_cert_file = "${TLS_DIR}/ca.crt"
  }
}

listener "tcp" {
  address         = "${LISTEN}"
  cluster_address = "${CLUSTER_LISTEN}"
  tls_cert_file   = "${TLS_DIR}/vault.crt"
  tls_key_file    = "${TLS_DIR}/vault.key"
  tls_min_version = "tls12"
}

# Of this node, as clients and the other nodes reach it. A shared name here, such as that of a load balancer, would send the clients
# of a standby to any node instead of the leader.
api_addr     = "${API_ADDR}"
cluster_addr = "${CLUSTER_ADDR}"

ui = true

# The data of integrated storage are mapped into memory, and would be locked there as a whole: let the machine have no swap.
disable_mlock = true

telemetry {
  prometheus_retention_time = "24h"
  disable_hostname          = true
}
