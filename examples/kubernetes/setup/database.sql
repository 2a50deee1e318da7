-- As the owner of the tables: the user of Vault, and the group that its users are members of.
CREATE TABLE IF NOT EXISTS items AS SELECT 1 AS id;
CREATE ROLE vault_admin LOGIN CREATEROLE;
CREATE ROLE myapp_readonly NOLOGIN;
GRANT myapp_readonly TO vault_admin WITH ADMIN OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO myapp_readonly;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO myapp_readonly;
