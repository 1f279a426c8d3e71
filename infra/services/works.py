"""What the four services run, and the settings that each of them gets: no more than it needs."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from infra.config import Deployment
from infra.data.stack import DataStack
from infra.services import database, permissions
from infra.services.files import MOUNTED_AT
from infra.services.front import DAGSTER_PORT, WEB_PORT
from infra.services.network import CIDR
from infra.services.tasks import NAMESPACE, Work

CODE_PORT = 4000
_CODE = "code"
_WORKSPACE = "/opt/engagement/docker/workspace.yaml"


@dataclass(frozen=True)
class Secrets:
    """What nobody may see: kept in Secrets Manager, handed to containers alone."""

    database: secretsmanager.ISecret
    address_key: secretsmanager.ISecret
    first_token: secretsmanager.ISecret
    openai: secretsmanager.ISecret | None


class Works:
    """Says what each service is."""

    def __init__(self, deployment: Deployment, data: DataStack, server: rds.DatabaseInstance, secrets: Secrets) -> None:
        """Take what their settings are made of."""
        self._deployment = deployment
        self._data = data
        self._server = server
        self._secrets = secrets

    def code(self) -> Work:
        """The code server: sensors and runs happen here, so that the warehouse has one writer."""
        return Work(
            _CODE,
            ["engagement", "code-server", "--host", "0.0.0.0", "--port", str(CODE_PORT)],  # noqa: S104 - in its network
            cpu=2048,
            memory=4096,
            healthy=f"dagster api grpc-health-check -p {CODE_PORT}",
            statements=permissions.of_the_code_server(self._data),
            variables=self._dagster_variables() | self._store_variables(),
            secrets=self._store_secrets() | self._model_secrets(),
            port=CODE_PORT,
            has_name=True,
            has_files=True,
            has_shell=True,
        )

    def daemon(self) -> Work:
        """The daemon: asks the code server to look at its sensors and schedules, and to start runs."""
        return Work(
            "daemon",
            ["dagster-daemon", "run", "-w", _WORKSPACE],
            cpu=512,
            memory=1024,
            healthy="dagster-daemon liveness-check",
            statements=[],
            variables=self._dagster_variables(),
            secrets=self._database_secrets(),
        )

    def pages(self) -> Work:
        """Dagster's pages."""
        return Work(
            "pages",
            ["dagster-webserver", "-h", "0.0.0.0", "-p", str(DAGSTER_PORT), "-w", _WORKSPACE],  # noqa: S104
            cpu=512,
            memory=1024,
            healthy=_answers(DAGSTER_PORT, "/server_info"),
            statements=permissions.of_dagsters_pages(self._data),
            variables=self._dagster_variables(),
            secrets=self._database_secrets(),
            port=DAGSTER_PORT,
        )

    def web(self) -> Work:
        """Dashboard, REST API, and what recipients and SES reach."""
        first = {"FIRST_TOKEN": ecs.Secret.from_secrets_manager(self._secrets.first_token)}
        # Secrets Manager draws letters and digits; our tokens begin with a sign of their own.
        start = f"ENGAGEMENT_WEB__FIRST_TOKEN=egp_$FIRST_TOKEN exec engagement web --host 0.0.0.0 --port {WEB_PORT}"
        return Work(
            "web",
            ["sh", "-c", start],
            cpu=512,
            memory=1024,
            healthy=_answers(WEB_PORT, "/ready"),
            statements=permissions.of_the_web(self._data),
            # The load balancer says who asks; nobody else is believed.
            variables=self._database_variables() | self._store_variables() | {"FORWARDED_ALLOW_IPS": CIDR},
            # What somebody asks for there is written there, in the words that runs would choose and people approve.
            secrets=self._store_secrets() | self._model_secrets() | first,
            port=WEB_PORT,
            copies=self._deployment.web_tasks,
            alone=False,
            has_files=True,
        )

    def _database_variables(self) -> dict[str, str]:
        # What libpq reads by itself, so that no address of ours has to hold a password.
        return {
            "PGHOST": self._server.db_instance_endpoint_address,
            "PGPORT": self._server.db_instance_endpoint_port,
            "PGSSLMODE": "require",
        }

    def _dagster_variables(self) -> dict[str, str]:
        return self._database_variables() | {
            "DAGSTER_HOME": "/opt/dagster/aws",
            "DAGSTER_LOGS_BUCKET": self._data.storage.files.bucket_name,
            "AWS_DEFAULT_REGION": self._data.region,
            "CODE_HOST": f"{_CODE}.{NAMESPACE}",
            "CODE_PORT": str(CODE_PORT),
        }

    def _store_variables(self) -> dict[str, str]:
        ours = {
            "ENGAGEMENT_DATA_DIR": MOUNTED_AT,
            "ENGAGEMENT_DATABASE_URL": f"postgresql:///{database.NAME}",
            "ENGAGEMENT_DELIVERY__PROVIDER": "ses",
            "ENGAGEMENT_DELIVERY__PUBLIC_URL": f"https://{self._deployment.web_host}",
            "ENGAGEMENT_WEB__DAGSTER_URL": f"https://{self._deployment.dagster_host}",
        }
        return ours | self._data.variables | dict(self._deployment.settings)

    def _database_secrets(self) -> dict[str, ecs.Secret]:
        secret = self._secrets.database
        return {
            "PGUSER": ecs.Secret.from_secrets_manager(secret, "username"),
            "PGPASSWORD": ecs.Secret.from_secrets_manager(secret, "password"),
        }

    def _store_secrets(self) -> dict[str, ecs.Secret]:
        key: Mapping[str, ecs.Secret] = {
            "ENGAGEMENT_SECRET_KEY": ecs.Secret.from_secrets_manager(self._secrets.address_key)
        }
        return self._database_secrets() | dict(key)

    def _model_secrets(self) -> dict[str, ecs.Secret]:
        key = self._secrets.openai
        return {} if key is None else {"OPENAI_API_KEY": ecs.Secret.from_secrets_manager(key)}


def _answers(port: int, path: str) -> str:
    return f"python -c \"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}{path}', timeout=10)\""
