"""The HTTP endpoints under ``/v2``, in the shapes of Alpaca's trading and data APIs."""
