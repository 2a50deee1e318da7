-- Once, as the database's administrator. In MySQL nobody owns a table, so users may come and go.
CREATE DATABASE IF NOT EXISTS app CHARACTER SET utf8mb4;
