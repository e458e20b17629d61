# Runs once, when the volume is new: the program's own role is no superuser. It may make roles, for those who only read.
psql --set ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres --set password="$PHASERUN_PASSWORD" <<'SQL'
CREATE ROLE phaserun LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE phaserun OWNER phaserun;
SQL
