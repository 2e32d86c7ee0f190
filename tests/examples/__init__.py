"""The examples run, and reach what they promise."""
