"""Tests of the part of the runner that executes one task."""
