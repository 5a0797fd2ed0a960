"""What it shows: the Streamlit pages, the charts and the offline report."""
