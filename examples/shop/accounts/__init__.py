"""Login with a session or with a JSON Web Token."""
