"""The report: a document of plain text, tables and charts, and the forms that it takes."""
