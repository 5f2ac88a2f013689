"""What the machine, the container and the process have left: layer `system`."""
