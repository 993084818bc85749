"""What the association itself has laid down: purposes, notices, record types, recipients, clients, staff; read through one check."""
