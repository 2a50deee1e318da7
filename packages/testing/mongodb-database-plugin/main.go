// HashiCorp's own plugin, which Vault has built in and OpenBao has not.
package main

import (
	"github.com/hashicorp/vault/plugins/database/mongodb"
	dbplugin "github.com/hashicorp/vault/sdk/database/dbplugin/v5"
)

func main() {
	dbplugin.ServeMultiplex(mongodb.New)
}
