"""One render() per page."""
