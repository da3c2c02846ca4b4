"""Building the distribution: setuptools, after the third-party front-end code of gadmin was installed."""
