"""What runs in Spark: parsing, evaluation of the rules, findings; and the session with the settings that they need."""
