-- Once, as an administrator. Tables of MySQL belong to nobody, so users may come and go.
CREATE DATABASE IF NOT EXISTS app CHARACTER SET utf8mb4;
