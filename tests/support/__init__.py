"""What several test folders stand on: a throw-away MariaDB, spans made by hand, a Django project to run."""
