-- PostgreSQL, once, as a superuser: the user that Vault connects as, and the group whose members its users are. Vault changes the
-- password right away.
CREATE ROLE vault_admin LOGIN CREATEROLE PASSWORD 'rotated-by-vault';

CREATE ROLE app_readwrite NOLOGIN;
GRANT USAGE ON SCHEMA public TO app_readwrite;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app_readwrite;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO app_readwrite;
GRANT app_readwrite TO vault_admin WITH ADMIN OPTION;

ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app_readwrite;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO app_readwrite;
