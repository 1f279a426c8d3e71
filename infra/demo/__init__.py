"""The whole path on this machine: an AWS-compatible server, the synthesised template, the sample, and Dagster."""
