"""skill-manifest: drafts and checks the manifests of graphs that others trained."""
