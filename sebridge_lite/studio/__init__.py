"""The studio world: invented people and engines that speak real Thai and Lao words. A stand-in for recordings."""
