"""Sigma rules (https://sigmahq.io) as rules of Sentinel: pySigma parses them, our backend writes the condition."""
