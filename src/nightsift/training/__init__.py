"""The LightningModule, its losses and callbacks, and the scoring of whole catalogues."""
