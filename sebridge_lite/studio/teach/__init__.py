"""How the studio teaches the embedded parts, and how they are examined. It stands above every room that it trains."""
