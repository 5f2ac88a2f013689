"""A cart belongs to a customer, or to the session of an anonymous visitor."""

from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.db.models import F

from catalogue.models import Product


class Cart(models.Model):
    customer = models.OneToOneField(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="cart")
    session_key = models.CharField(max_length=40, null=True, unique=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"cart {self.pk}"

    def add(self, product: Product, quantity: int) -> "CartLine":
        """Put *quantity* more of *product* into the cart."""
        line, is_new = self.lines.get_or_create(product=product, defaults={"quantity": quantity})
        if not is_new:
            self.lines.filter(pk=line.pk).update(quantity=F("quantity") + quantity)
            line.refresh_from_db()
        return line

    def total(self) -> Decimal:
        """Return what the goods in the cart cost now."""
        return sum((line.product.price * line.quantity for line in self.lines.select_related("product")), Decimal(0))

    @transaction.atomic
    def hand_over_to(self, customer: AbstractBaseUser) -> None:
        """Move every line to the cart of *customer*; this cart is gone afterwards."""
        theirs, _ = Cart.objects.get_or_create(customer=customer)
        for line in self.lines.select_related("product"):
            theirs.add(line.product, line.quantity)
        self.delete()


class CartLine(models.Model):
    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cart", "product"], name="one_line_per_product")]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"
