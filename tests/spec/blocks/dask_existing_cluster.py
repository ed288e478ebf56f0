# Connect to an existing cluster running at a specified address
DaskTaskRunner(address="tcp://...")
