"""The ground floor: paths, parameters, seeds and errors. Imports nothing of the rest of the package."""
