"""What an administrator types to reach a bucket with rclone and restic."""

from tests.testbed.s3 import OWNER, S3Server

# Parts of the size of ours; nothing is asked of the bucket before.
RCLONE = ("rclone", "--quiet", "--config", "/dev/null", "--s3-chunk-size", "16Mi", "--s3-no-check-bucket")


def rclone_place(server: S3Server, bucket: str, key: str) -> str:
    """Given an object of a bucket, return its name for rclone."""
    options = f":s3,provider=Minio,env_auth=false,endpoint='{server.endpoint}',region=us-east-1"
    return f"{options},access_key_id={OWNER[0]},secret_access_key={OWNER[1]}:{bucket}/{key}"


def restic_place(server: S3Server, bucket: str) -> str:
    """Given a bucket, return the name of a repository in it for restic."""
    return f"s3:{server.endpoint}/{bucket}/restic"


def amazon_environment() -> dict[str, str]:
    """The owner's keys, as restic takes them."""
    return {"AWS_ACCESS_KEY_ID": OWNER[0], "AWS_SECRET_ACCESS_KEY": OWNER[1], "AWS_DEFAULT_REGION": "us-east-1"}
