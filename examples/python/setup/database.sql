-- Once, as the database's administrator. Database users come and go: the table belongs to who stays, and so do the rights to it.
CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, by text NOT NULL);
CREATE ROLE app_readwrite NOLOGIN;
GRANT SELECT, INSERT ON visits TO app_readwrite;
