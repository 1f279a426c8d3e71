"""Whether the process answers at all."""

from fastapi import APIRouter

router = APIRouter()


@router.get("/health")
async def health() -> dict[str, str]:
    """Say that the process is alive; nothing about the store."""
    return {"status": "ok"}
