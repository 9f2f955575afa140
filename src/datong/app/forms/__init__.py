"""Plain pages that work without a script: signing in, and a firm's own orders on its phone."""
