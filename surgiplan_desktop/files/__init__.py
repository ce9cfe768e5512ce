"""Case files, assets, mesh files, reports, catalogues."""
