"""Prices of all products. Public."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from serve_app.http.deps import Services
from serve_app.verticals.spec import VerticalSpec

router = APIRouter(prefix="/v1/prices", tags=["credits"])


class DemoLimits(BaseModel):
    """Limits of a product's anonymous demos, which cost nothing."""

    max_duration_s: float
    max_bytes: int
    per_address: str = Field(description="Demos per client address.", examples=["3/hour"])


class ProductPrice(BaseModel):
    """The price of a product's jobs, and the largest recording it takes."""

    vertical: str = Field(examples=["recruitscreen"])
    title: str
    description: str
    credits_per_minute: int = Field(description="Credits for each started minute of audio: 412 s are 7 minutes.")
    credits_per_assessment: int = Field(description="Credits for another assessment of a job's transcript.")
    max_duration_s: float
    max_bytes: int
    demo: DemoLimits | None = Field(description="Null when the product has no demo.")

    @classmethod
    def of(cls, spec: VerticalSpec) -> "ProductPrice":
        """The public view of a product's file."""
        demo = spec.demo and DemoLimits(**spec.demo.model_dump(include=set(DemoLimits.model_fields)))
        return cls(
            vertical=spec.slug,
            title=spec.title,
            description=spec.description,
            **spec.price.model_dump(),
            max_duration_s=spec.input.max_duration_s,
            max_bytes=spec.input.max_bytes,
            demo=demo,
        )


class Prices(BaseModel):
    """The prices of all products."""

    products: list[ProductPrice]


@router.get("")
async def get_prices(services: Services) -> Prices:
    """Get the products with their prices and limits. Needs no key. A quote gives the price of one recording."""
    return Prices(products=[ProductPrice.of(spec) for spec in services.catalog])
