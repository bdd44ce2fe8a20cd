"""Stand-ins for systems of marketing and sales: Brevo, Mailchimp and HubSpot on their own wire formats."""
