"""The CRM's fields that are read. Source: Impartner API, objects read."""

ACCOUNT_FIELDS = (
    "Id",
    "Name",
    "Partner_Tier__cf",
    "Account_Status__cf",
    "Account_Owner__cf",
    "Account_Owner_Email__cf",
    "Partner_Type__cf",
    "Website",
    "CrmId",
    "MailingCountry",
    "RegionId",
    "ParentAccountId",
    "PrimaryUserId",
)

LEAD_FIELDS = (
    "Id",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "StatusId",
    "Source",
    "Description",
    "CrmId",
    "PartnerAccountId",
    "IsConverted",
    "Created",
    "Updated",
)

CONTACT_FIELDS = (
    "Id",
    "Email",
    "FirstName",
    "LastName",
    "Title",
    "Phone",
    "AccountId",
    "AccountName",
    "Contact_Status__cf",
    "IsActive",
    "Updated",
)
