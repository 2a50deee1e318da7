-- PostgreSQL, once, before `vault-lease setup setup.yaml`, as a superuser: a user of Vault that owns no table, and may do nothing
-- but make users who are members of these groups. A user of Vault that may grant on the tables needs none of this.
CREATE ROLE vault_admin LOGIN CREATEROLE PASSWORD 'rotated-by-vault';

CREATE ROLE app_readonly NOLOGIN;
GRANT USAGE ON SCHEMA public TO app_readonly;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_readonly;
GRANT app_readonly TO vault_admin WITH ADMIN OPTION;

CREATE ROLE app_readwrite NOLOGIN;
GRANT USAGE ON SCHEMA public TO app_readwrite;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app_readwrite;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO app_readwrite;
GRANT app_readwrite TO vault_admin WITH ADMIN OPTION;

CREATE ROLE app_reporting NOLOGIN;
GRANT USAGE ON SCHEMA public TO app_reporting;
GRANT SELECT ON reports, analytics TO app_reporting;
GRANT app_reporting TO vault_admin WITH ADMIN OPTION;

CREATE ROLE app_user_service NOLOGIN;
GRANT USAGE ON SCHEMA public TO app_user_service;
GRANT SELECT, INSERT, UPDATE ON users TO app_user_service;
GRANT app_user_service TO vault_admin WITH ADMIN OPTION;

-- For the tables that come later: as whom migrations run (FOR ROLE migrations, when that is another one).
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO app_readonly;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app_readwrite;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO app_readwrite;

-- The user of the static role. With PostgreSQL 16 and newer only who has it WITH ADMIN OPTION may change its password.
CREATE ROLE legacy_app LOGIN;
GRANT legacy_app TO vault_admin WITH ADMIN OPTION;
