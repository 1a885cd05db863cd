// Placeholder so that the package resolves; the first real file of the module replaces it.
