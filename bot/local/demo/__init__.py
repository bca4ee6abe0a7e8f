"""The whole loop on one machine: a platform, the patient, the control plane, a fault, and a screen to watch it all."""
