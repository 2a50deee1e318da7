# OpenBao takes its audit devices from its configuration, and a SIGHUP adds those that are new. HashiCorp Vault does not know this
# block: there they are enabled by its API, which README.md shows.

audit "file" "file" {
  options {
    file_path = "${AUDIT_DIR}/audit.log"
  }
}

# Beside a syslog daemon, a second device: a request is answered as long as one of them can be written.
# audit "syslog" "syslog" {
#   options {
#     tag      = "openbao"
#     facility = "AUTH"
#   }
# }
