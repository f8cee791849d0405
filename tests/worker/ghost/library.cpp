int ghost() { return 3; }
