"""Reports that come by e-mail (رسالة موثقة): read within limits, graded by who signed them, kept as the exact bytes (ADR 0072)."""
